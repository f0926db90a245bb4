# The strip below the panels that names every series once. Needs what legend_size.gp computes, and
# floor_title ("" for none).
set size 1, legend_in / height_in
set origin 0, 0
set lmargin 1
set rmargin 1
set tmargin 0
set bmargin 0
unset title
unset xlabel
unset ylabel
unset logscale
unset border
unset tics
unset grid
unset label
unset arrow
set xrange [0:1]
set yrange [0:1]
set key center center horizontal maxcols legend_columns samplen 3 spacing 1.1 width 1 Left reverse noenhanced
if (floor_title ne "") {
    plot for [s = 1:series] NaN with linespoints linecolor rgb colour_of(method_of(s)) dashtype dash_of(variant_of(s)) \
             pointtype point_of(s) pointsize 0.75 linewidth 1.4 title series_name(s), \
         NaN with lines linecolor rgb "#444444" dashtype (8, 4) linewidth 1.2 title floor_title
} else {
    plot for [s = 1:series] NaN with linespoints linecolor rgb colour_of(method_of(s)) dashtype dash_of(variant_of(s)) \
             pointtype point_of(s) pointsize 0.75 linewidth 1.4 title series_name(s)
}
