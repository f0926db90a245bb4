# Mean signed error of the estimated inner product of unit vectors, by the true inner product. An unbiased estimator lies
# on the zero line everywhere; one that shrinks by a constant factor falls along a straight line.
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
stats data using (column("rho")) name "rho" nooutput

floor_title = ""
width_in = columns_of(panels) == 1 ? 6.4 : 9.2
panel_in = columns_of(panels) == 1 ? 4.2 : 3.3
load folder."legend_size.gp"
height_in = rows_of(panels) * panel_in + legend_in
load folder."terminal.gp"
# The frame follows the values and the usual interval; a bar that leaves it is wider than it.
top = value_max + 4 * half_median
bottom = value_min - 4 * half_median
is(p, s) = int(column("panel")) == p && int(column("series")) == s
# Series at one alignment are set a little apart, so that their intervals do not hide each other.
apart(s) = (s - (series + 1) / 2.0) * 0.04 / series

set multiplot
set xlabel "true inner product of unit vectors"
set ylabel "mean error of the estimate"
set xrange [rho_min - 0.06:rho_max + 0.06]
set yrange [bottom:top]
set xtics 0.25
set xzeroaxis linewidth 1.0 linecolor rgb "#444444" dashtype solid
unset key
do for [p = 1:panels] {
    set size 1.0 / columns_of(panels), panel_in / height_in
    set origin ((p - 1) % columns_of(panels)) / (1.0 * columns_of(panels)), \
        1 - (int((p - 1) / columns_of(panels)) + 1) * panel_in / height_in
    set title panel_title(p) noenhanced
    set lmargin 11
    set rmargin 2
    plot for [s = 1:series] data using (is(p, s) ? column("rho") + apart(s) : NaN):(column("value")):\
             (column("low")):(column("high")) with yerrorlines linecolor rgb colour_of(method_of(s)) \
             dashtype dash_of(variant_of(s)) pointtype point_of(s) pointsize 0.75 linewidth 1.4
}
unset xzeroaxis
load folder."legend.gp"
unset multiplot
