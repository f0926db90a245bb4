# Relative mean squared error over the rate-distortion floor 4^-b at the measured rate.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"
y_label = "relative MSE over the floor 4^{-b}"
floor_title = "the floor"
floor_of(b) = 1.0
over_floor = 4.0
load folder."rate.gp"
