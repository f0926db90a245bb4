# Perplexity against rate, one panel per model and tensor; the dashed line is the same model at full precision.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"

array full[64]
full_seen = 0
see_full(p, v) = (p <= 64 ? (full[p] = v, 1) : 0)
stats data using (see_panel(int(column("panel")), strcol("panel_name")), \
                  see_series(int(column("series")), strcol("series_name"), column("point"), column("method"), \
                             column("variant")), \
                  see_full(int(column("panel")), column("full"))) nooutput
stats data using (column("rate_bits")) name "rate" nooutput
stats data using (column("value")) name "value" nooutput
stats data using (column("high")) name "high" nooutput
stats data using (column("low")) name "low" nooutput
stats data using (column("full")) name "full" nooutput

floor_title = "full precision"
width_in = columns_of(panels) == 1 ? 6.4 : 9.2
panel_in = columns_of(panels) == 1 ? 4.2 : 3.3
load folder."legend_size.gp"
height_in = rows_of(panels) * panel_in + legend_in
load folder."terminal.gp"
right = ceil(rate_max + 0.25)
bottom = full_records > 0 && full_min < low_min ? full_min : low_min
# A collapsed model would press all others onto the axis: beyond a factor of three the scale is logarithmic.
logarithmic = high_max > 3 * bottom
is(p, s) = int(column("panel")) == p && int(column("series")) == s

set multiplot
set xlabel "rate of the quantized tensors (bits per coordinate)"
set ylabel "perplexity"
if (logarithmic) {
    set logscale y 10
    set format y "%g"
    set ytics (1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10000)
    set yrange [bottom * 0.9:(high_max < value_max * 3 ? high_max : value_max * 3) * 1.1]
} else {
    set yrange [bottom - 0.05 * (high_max - bottom):high_max + 0.05 * (high_max - bottom)]
}
set xrange [0.8:right]
set xtics 1
unset key
do for [p = 1:panels] {
    set size 1.0 / columns_of(panels), panel_in / height_in
    set origin ((p - 1) % columns_of(panels)) / (1.0 * columns_of(panels)), \
        1 - (int((p - 1) / columns_of(panels)) + 1) * panel_in / height_in
    set title panel_name(p) noenhanced
    set lmargin 9
    set rmargin 2
    plot full[p] with lines linecolor rgb "#444444" dashtype (8, 4) linewidth 1.2, \
         for [s = 1:series] data using (is(p, s) ? column("rate_bits") : NaN):(column("value")):(column("low")):\
             (column("high")) with yerrorlines linecolor rgb colour_of(method_of(s)) dashtype dash_of(variant_of(s)) \
             pointtype point_of(s) pointsize 0.75 linewidth 1.4
}
load folder."legend.gp"
unset multiplot
