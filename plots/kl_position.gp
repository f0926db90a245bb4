# KL to full precision by position in the context: where in a text a quantized cache does its harm.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"

stats data using (see_panel(int(column("panel")), strcol("panel_name")), \
                  see_series(int(column("series")), strcol("series_name"), column("point"), column("method"), \
                             column("variant"))) nooutput
stats data using (column("value")) name "value" nooutput
stats data using ((column("high") - column("low")) / 2 + 1e-9) name "half" nooutput
stats data using (column("position")) name "position" nooutput

floor_title = ""
width_in = columns_of(panels) == 1 ? 6.4 : 9.2
panel_in = columns_of(panels) == 1 ? 4.2 : 3.3
load folder."legend_size.gp"
height_in = rows_of(panels) * panel_in + legend_in
load folder."terminal.gp"
# The frame follows the values and the usual interval; a bar that leaves it is wider than it.
top = value_max + 4 * half_median
bottom = 0
is(p, s) = int(column("panel")) == p && int(column("series")) == s
# Series at one position are set a little apart, so that their intervals do not hide each other.
apart(s) = (s - (series + 1) / 2.0) * 0.02 * position_max / series

set multiplot
set xlabel "position (tokens from the start of the window)"
set ylabel "KL to full precision (nats)"
set xrange [position_min * 0.97:position_max * 1.03]
set yrange [bottom:top]
unset key
do for [p = 1:panels] {
    set size 1.0 / columns_of(panels), panel_in / height_in
    set origin ((p - 1) % columns_of(panels)) / (1.0 * columns_of(panels)), \
        1 - (int((p - 1) / columns_of(panels)) + 1) * panel_in / height_in
    set title panel_title(p) noenhanced
    set lmargin 11
    set rmargin 2
    plot for [s = 1:series] data using (is(p, s) ? column("position") + apart(s) : NaN):(column("value")):\
             (column("low")):(column("high")) with yerrorlines linecolor rgb colour_of(method_of(s)) \
             dashtype dash_of(variant_of(s)) pointtype point_of(s) pointsize 0.75 linewidth 1.4
}
load folder."legend.gp"
unset multiplot
