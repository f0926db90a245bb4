/* Growing lists of labelled samples. Kept apart from every measurement, so that all of them label alike.
 *
 * Weights are stored only once one of them differs from 1: most series are unweighted and results stay small.
 * Must not interpret samples: means, quantiles and intervals belong to the judge. */
#include "harness/measure/series.h"

#include <stdlib.h>
#include <string.h>

static void copy_text(char *to, size_t size, const char *from) {
    size_t n = strlen(from);
    if (n >= size)
        n = size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

struct fq_series *fq_series_add(struct fq_series_list *list, const char *metric, const char *tensor, const char *unit,
                                const char *statistics, const char *resample, struct fq_error *err) {
    if (list->n == list->room) {
        size_t room = list->room == 0 ? 16 : 2 * list->room;
        struct fq_series *grown = realloc(list->series, room * sizeof *grown);
        if (grown == NULL) {
            fq_fail(err, FQ_FAILED, "out of memory: no room for series %zu (%s)", list->n + 1, metric);
            return NULL;
        }
        list->series = grown;
        list->room = room;
    }
    struct fq_series *s = &list->series[list->n];
    memset(s, 0, sizeof *s);
    copy_text(s->metric, sizeof s->metric, metric);
    copy_text(s->tensor, sizeof s->tensor, tensor);
    copy_text(s->unit, sizeof s->unit, unit);
    copy_text(s->statistics, sizeof s->statistics, statistics);
    copy_text(s->resample, sizeof s->resample, resample);
    list->n++;
    return s;
}

/* Grows one array; the old one stays valid on failure, so that the list can still be freed. */
static int grow(void **array, size_t room, size_t item, struct fq_error *err) {
    void *grown = realloc(*array, room * item);
    if (grown == NULL)
        return fq_fail(err, FQ_FAILED, "out of memory: %zu samples of %zu bytes do not fit", room, item);
    *array = grown;
    return FQ_OK;
}

static int make_room(struct fq_series *s, struct fq_error *err) {
    size_t room = s->room == 0 ? 64 : 2 * s->room;
    void *value = s->value, *weight = s->weight, *a = s->label_a, *b = s->label_b;
    int code = grow(&value, room, sizeof *s->value, err);
    s->value = value;
    if (code == FQ_OK && weight != NULL) {
        code = grow(&weight, room, sizeof *s->weight, err);
        s->weight = weight;
    }
    if (code == FQ_OK) {
        code = grow(&a, room, sizeof *s->label_a, err);
        s->label_a = a;
    }
    if (code == FQ_OK) {
        code = grow(&b, room, sizeof *s->label_b, err);
        s->label_b = b;
    }
    if (code == FQ_OK)
        s->room = room;
    return code;
}

int fq_series_push(struct fq_series *s, double value, double weight, int32_t label_a, int32_t label_b,
                   struct fq_error *err) {
    if (s->n == s->room)
        FQ_TRY(make_room(s, err));
    if (s->weight == NULL && (weight < 1.0 || weight > 1.0)) {
        s->weight = malloc(s->room * sizeof *s->weight);
        if (s->weight == NULL)
            return fq_fail(err, FQ_FAILED, "out of memory: weights of %s", s->metric);
        for (size_t i = 0; i < s->n; i++)
            s->weight[i] = 1.0;
    }
    s->value[s->n] = value;
    if (s->weight != NULL)
        s->weight[s->n] = weight;
    s->label_a[s->n] = label_a;
    s->label_b[s->n] = label_b;
    s->n++;
    return FQ_OK;
}

const struct fq_series *fq_series_find(const struct fq_series_list *list, const char *metric, const char *tensor) {
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->series[i].metric, metric) == 0 && strcmp(list->series[i].tensor, tensor) == 0)
            return &list->series[i];
    return NULL;
}

void fq_series_list_free(struct fq_series_list *list) {
    for (size_t i = 0; i < list->n; i++) {
        free(list->series[i].value);
        free(list->series[i].weight);
        free(list->series[i].label_a);
        free(list->series[i].label_b);
    }
    free(list->series);
    memset(list, 0, sizeof *list);
}
