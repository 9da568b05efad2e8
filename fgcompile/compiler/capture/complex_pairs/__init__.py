"""Complex numbers become pairs of real ones: no runtime of an artifact has them, and their terms are real.

z w           →  (a c − b d, a d + b c)      of z = (a, b) and w = (c, d)
|z|           →  ‖(a, b)‖₂                    homogeneous, as |z| is, so that it has no bias
fft(x)        →  (x C, −x S)                 products with the constant matrices cos and sin 2π k n / N
reshape(z)    →  (reshape(a), reshape(b))    and whatever moves elements alone
"""
