# Opens the terminal for a figure of width_in x height_in inches. Loaded after the figure has computed its size.
if (kind eq "svg") {
    set terminal svg enhanced size int(width_in * 96), int(height_in * 96) font font_name.",12" background rgb "white" \
        linewidth 1.1 dashlength 1.2
} else {
    set terminal pdfcairo enhanced size width_in, height_in font font_name.",9" linewidth 1.4 dashlength 0.9
}
set output out
set border 3 linewidth 0.8 linecolor rgb "#444444"
set tics nomirror out scale 0.6 textcolor rgb "#222222"
set grid ytics linewidth 0.5 linecolor rgb "#DDDDDD" dashtype solid
set key noenhanced
set title noenhanced
set bars 0.6
