// Drives the public headers of RaBitQ-Library: reads float32 vectors, writes what its quantizers wrote, for
// rabitq_compare.py. Built outside the tree against a checkout of the library; holds none of its code.
//
//   rabitq_driver split     BITS FASTER D VECTORS.f32 OUT.bin     one record a vector: BinDataMap, then ExDataMap
//   rabitq_driver scalar    BITS FASTER D VECTORS.f32 OUT.bin     one record a vector: D codes of one byte, delta, vl
//   rabitq_driver constant  BITS D                                prints t_const of faster_config
//   rabitq_driver rotate    D FLIPS.bin VECTORS.f32 OUT.f32       FhtKacRotator with these sign bits, rows of the padded D
// FASTER is 0 (search per vector) or 1 (the constant). Centroid 0, metric inner product, vectors as they are.
#include "rabitqlib/quantization/rabitq.hpp"
#include "rabitqlib/utils/rotator.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using namespace rabitqlib;

static std::vector<float> read_floats(const char *path) {
    FILE *f = std::fopen(path, "rb");
    if (!f) {
        std::perror(path);
        std::exit(2);
    }
    std::fseek(f, 0, SEEK_END);
    std::vector<float> x(static_cast<size_t>(std::ftell(f)) / sizeof(float));
    std::rewind(f);
    if (std::fread(x.data(), sizeof(float), x.size(), f) != x.size())
        std::exit(2);
    std::fclose(f);
    return x;
}

int main(int argc, char **argv) {
    const std::string form = argc > 1 ? argv[1] : "";
    if (form == "constant" && argc == 4) {
        std::printf("%.17g\n", quant::faster_config(std::strtoul(argv[3], nullptr, 10),
                                                    std::strtoul(argv[2], nullptr, 10)).t_const);
        return 0;
    }
    if (form == "rotate" && argc == 6) {
        const size_t dim = std::strtoul(argv[2], nullptr, 10), padded = (dim + 63) / 64 * 64;
        std::vector<char> flips(4 * padded / 8);
        FILE *in = std::fopen(argv[3], "rb");
        if (!in || std::fread(flips.data(), 1, flips.size(), in) != flips.size())
            return 2;
        std::fclose(in);
        rotator_impl::FhtKacRotator rotator(dim, padded);
        rotator.load(flips.data());
        const std::vector<float> rows = read_floats(argv[4]);
        std::vector<float> rotated(padded);
        FILE *to = std::fopen(argv[5], "wb");
        if (!to)
            return 2;
        for (size_t v = 0; v < rows.size() / dim; v++) {
            rotator.rotate(rows.data() + v * dim, rotated.data());
            std::fwrite(rotated.data(), sizeof(float), padded, to);
        }
        return std::fclose(to) == 0 ? 0 : 2;
    }
    if (argc != 7)
        return 2;
    const size_t bits = std::strtoul(argv[2], nullptr, 10), d = std::strtoul(argv[4], nullptr, 10), ex = bits - 1;
    const bool faster = std::atoi(argv[3]) != 0;
    const std::vector<float> x = read_floats(argv[5]), centroid(d, 0.F);
    const quant::RabitqConfig config = faster ? quant::faster_config(d, bits) : quant::RabitqConfig();
    FILE *out = std::fopen(argv[6], "wb");
    if (!out)
        return 2;
    const size_t bin_bytes = BinDataMap<float>::data_bytes(d), ex_bytes = ExDataMap<float>::data_bytes(d, ex);
    for (size_t v = 0; v < x.size() / d; v++) {
        const float *row = x.data() + v * d;
        if (form == "split") {
            std::vector<char> bin(bin_bytes, 0), extended(ex_bytes + 1, 0);
            quant::quantize_split_single(row, centroid.data(), d, ex, bin.data(), extended.data(), METRIC_IP, config);
            std::fwrite(bin.data(), 1, bin_bytes, out);
            std::fwrite(extended.data(), 1, ex_bytes, out);
        } else {
            std::vector<uint8_t> code(d, 0); // cleared, because one-bit codes are added onto what is there
            float factor[2];
            quant::quantize_scalar<float, uint8_t>(row, d, bits, code.data(), factor[0], factor[1], config);
            std::fwrite(code.data(), 1, d, out);
            std::fwrite(factor, sizeof(float), 2, out);
        }
    }
    return std::fclose(out) == 0 ? 0 : 2;
}
