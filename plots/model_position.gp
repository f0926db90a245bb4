# One model: difference of the log-perplexity and KL to full precision by position in the context.
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
stats data using (column("position")) name "position" nooutput
stats data using (column("delta")) name "delta" nooutput
stats data using (column("delta_low")) name "delta_low" nooutput
stats data using (column("delta_high")) name "delta_high" nooutput
stats data using (column("kl") > 0 ? column("kl") : NaN) name "kl" nooutput
stats data using (column("kl_low") > 0 ? column("kl_low") : NaN) name "kl_low" nooutput
stats data using (column("kl_high")) name "kl_high" nooutput

floor_title = ""
width_in = 9.2
panel_in = 3.5
load folder."legend_size.gp"
height_in = panel_in + legend_in
load folder."terminal.gp"

# The frames follow the values; a bar that leaves them is wider than it.
largest = delta_max > -delta_min ? delta_max : -delta_min
delta_top = delta_high_max < 2 * largest ? delta_high_max : 2 * largest
delta_bottom = delta_low_min > -largest ? delta_low_min : -largest
delta_top = delta_top < 0.001 ? 0.001 : delta_top
delta_bottom = delta_bottom > -0.001 ? -0.001 : delta_bottom
load folder."floor.gp"
load folder."kl_frame.gp"
is(s) = int(column("series")) == s
clip(v, bottom) = v > bottom ? v : bottom
# Series at one position are set a little apart, so that their intervals do not hide each other.
step = position_max > position_min ? (position_max - position_min) / 7.0 : 1
apart(s) = (s - (series + 1) / 2.0) * 0.5 * step / series

set multiplot
set xlabel "position (tokens from the start of the window)"
set xrange [position_min - 0.6 * step:position_max + 0.6 * step]
set lmargin 11
set rmargin 2
unset key
set size 0.5, panel_in / height_in
set origin 0, 1 - panel_in / height_in
set title "perplexity: ".panel_name(1) noenhanced
set ylabel "difference of log-perplexity (nats)"
load folder."signed.gp"
set yrange [delta_bottom * 1.3:delta_top * 1.3]
set arrow 1 from graph 0, first 0 to graph 1, first 0 nohead linewidth 0.8 linecolor rgb "#444444" back
plot for [s = 1:series] data using (is(s) ? column("position") + apart(s) : NaN):(column("delta")):\
         (column("delta_low")):(column("delta_high")) with yerrorlines linecolor rgb colour_of(method_of(s)) \
         dashtype dash_of(variant_of(s)) pointtype point_of(s) pointsize 0.7 linewidth 1.3
unset arrow 1
unset nonlinear y
set origin 0.5, 1 - panel_in / height_in
set title "KL: ".panel_name(1) noenhanced
set ylabel "KL to full precision (nats)"
set logscale y 10
axis = "y"
axis_low = kl_bottom
axis_high = kl_top
load folder."log_tics.gp"
set yrange [kl_bottom:kl_top]
plot for [s = 1:series] data using (is(s) && column("kl") > 0 ? column("position") + apart(s) : NaN):(column("kl")):\
         (clip(column("kl_low"), kl_bottom)):(column("kl_high")) with yerrorlines \
         linecolor rgb colour_of(method_of(s)) dashtype dash_of(variant_of(s)) pointtype point_of(s) \
         pointsize 0.7 linewidth 1.3
unset logscale y
unset mytics
load folder."legend.gp"
unset multiplot
