/* Turns methods.def into a table. Adding a method is one directory and one line there. */
#include "methods/registry.h"

#define FQ_METHOD(symbol) extern const struct fq_method fq_method_##symbol;
#include "methods/methods.def"
#undef FQ_METHOD

#define FQ_METHOD(symbol) &fq_method_##symbol,
const struct fq_method *const fq_methods[] = {
#include "methods/methods.def"
    NULL};
#undef FQ_METHOD
