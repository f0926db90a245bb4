# Rate against an error, one panel per data set and tensor: log y, intervals drawn.
# Loaded by rate_mse.gp, rate_ip.gp ... with y_label, floor_title and floor_of(b) set; floor_of is drawn when the title
# is not empty. over_floor, if it exists, is the base B of a floor B^-b by which values are divided.
scaled(v, rate) = exists("over_floor") ? v * over_floor ** rate : v
stats data using (see_panel(int(column("panel")), strcol("panel_name")), \
                  see_series(int(column("series")), strcol("series_name"), column("point"), column("method"), \
                             column("variant"))) nooutput
stats data using (column("rate_bits")) name "rate" nooutput
stats data using (column("value") > 0 ? scaled(column("value"), column("rate_bits")) : NaN) name "value" nooutput
stats data using (column("low") > 0 ? scaled(column("low"), column("rate_bits")) : NaN) name "low" nooutput

width_in = columns_of(panels) == 1 ? 6.4 : 9.2
panel_in = columns_of(panels) == 1 ? 4.2 : 3.3
load folder."legend_size.gp"
height_in = rows_of(panels) * panel_in + legend_in
load folder."terminal.gp"

# One scale for all panels, so that they can be compared by eye.
bottom = 10 ** floor(log10(low_min < value_min && low_min > value_min / 10 ? low_min : value_min))
top = 10 ** ceil(log10(value_max))
if (exists("over_floor")) {
    bottom = value_min < 1 ? value_min * 0.8 : 0.9
    top = value_max * 1.3
}
right = ceil(rate_max + 0.25)
in_panel(p) = int(column("panel")) == p
is(p, s) = int(column("panel")) == p && int(column("series")) == s

set multiplot
set logscale y 10
set format y "10^{%L}"
set mytics 10
if (exists("over_floor")) {
    unset mytics
    set format y "%g"
    set ytics (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 10000)
}
set xlabel "rate (bits per coordinate, every byte counted)"
set yrange [bottom:top]
set xrange [0.8:right]
set xtics 1
unset key
do for [p = 1:panels] {
    set size 1.0 / columns_of(panels), panel_in / height_in
    set origin ((p - 1) % columns_of(panels)) / (1.0 * columns_of(panels)), 1 - (int((p - 1) / columns_of(panels)) + 1) * panel_in / height_in
    set title panel_title(p) noenhanced
    set ylabel y_label
    set lmargin 9
    set rmargin 2
    plot floor_title eq "" ? NaN : floor_of(x) with lines linecolor rgb "#444444" dashtype (8, 4) linewidth 1.2, \
         for [s = 1:series] data using (is(p, s) && column("value") > 0 ? column("rate_bits") : NaN):\
             (scaled(column("value"), column("rate_bits"))):\
             (scaled(column("low"), column("rate_bits")) > bottom ? scaled(column("low"), column("rate_bits")) : bottom):\
             (scaled(column("high"), column("rate_bits"))) with yerrorlines \
             linecolor rgb colour_of(method_of(s)) dashtype dash_of(variant_of(s)) \
             pointtype point_of(s) pointsize 0.75 linewidth 1.4
}
load folder."legend.gp"
unset multiplot
