/* A method with its parameters as a test writes them. */
#ifndef FQ_TEST_CACHE_CODE_H
#define FQ_TEST_CACHE_CODE_H

#include "harness/cache/policy.h"
#include "harness/measure/catalog.h"

static inline struct fq_policy_code code_of(const char *name, const char *params) {
    struct fq_policy_code code;
    struct fq_error err = {0};
    if (fq_catalog_find(name, &code.method, &err) != 0)
        fail_msg("%s", err.text);
    fq_params_default(code.method, &code.params);
    if (fq_params_parse(code.method, params, &code.params, &err) != 0)
        fail_msg("%s", err.text);
    return code;
}

#endif
