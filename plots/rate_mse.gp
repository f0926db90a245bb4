# Rate against relative mean squared error, with the rate-distortion floor 4^-b of a Gaussian source.
data = ARG1
out = ARG2
kind = ARG3
cut = 0
do for [i = 1:strlen(ARG0)] { if (ARG0[i:i] eq "/") { cut = i } }
folder = cut > 0 ? ARG0[1:cut] : ""
load folder."style.gp"
y_label = "relative mean squared error"
floor_title = "rate-distortion floor 4^-b"
floor_of(b) = 4.0 ** (-b)
load folder."rate.gp"
