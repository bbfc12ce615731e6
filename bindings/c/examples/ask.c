/*
 * Asks questions of a passage, one thread for each question, all with one model.
 *
 *     cargo build --release -p blockspan-capi
 *     cc -std=c11 -Ibindings/c/include bindings/c/examples/ask.c target/release/libblockspan.a -lpthread -ldl -lm -o ask
 *     ./ask fixtures/default.bspan README.md "Which instruction sets give the same logits?"
 *
 * Prints a line for each question: where the answer starts and ends (bytes, then characters), its probability, its
 * logits, null_diff and its text, with tabs between. The exit status is 2 if anything could not be answered.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockspan.h"

/* A question and what becomes of it; each thread has its own. */
struct task {
    const blockspan_model *model;
    const char *passage;
    size_t passage_len;
    const char *question;
    bool answered;
    blockspan_answer answer;
    blockspan_outcome outcome;
    blockspan_error error;
};

static void *run(void *argument) {
    struct task *task = argument;

    /* A workspace of our own, as a program without an allocator would have it in static memory. */
    size_t workspace_len = blockspan_workspace_len(task->model, NULL);
    uint8_t *workspace = malloc(workspace_len);
    if (workspace == NULL) {
        snprintf(task->error.message, sizeof task->error.message, "no memory for the workspace");
        return NULL;
    }

    blockspan_session *session;
    blockspan_status status =
        blockspan_session_new(task->model, NULL, workspace, workspace_len, &session, &task->error);
    if (status == BLOCKSPAN_STATUS_OK) {
        blockspan_options options = blockspan_options_default();
        status = blockspan_session_answer(session, task->question, strlen(task->question), task->passage,
                                          task->passage_len, &options, &task->answer, 1, &task->outcome,
                                          &task->error);
        task->answered = status == BLOCKSPAN_STATUS_OK;
    }
    blockspan_session_free(session);
    free(workspace);
    return NULL;
}

/* The whole file, or NULL. */
static char *read_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    char *text = NULL;
    long end;
    if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        *len = (size_t)end;
        text = malloc(*len + 1);
        if (text != NULL && fread(text, 1, *len, file) != *len) {
            free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

static bool print(const struct task *task) {
    if (!task->answered) {
        fprintf(stderr, "error: %s: %s\n", task->question, task->error.message);
        return false;
    }
    if (task->outcome.answers == 0) {
        fprintf(stderr, "error: %s: no span of the passage fits\n", task->question);
        return false;
    }
    const blockspan_answer *answer = &task->answer;
    printf("%zu\t%zu\t%zu\t%zu\t%.9g\t%.9g\t%.9g\t%.9g\t%.*s\n", answer->start, answer->end, answer->start_char,
           answer->end_char, answer->score, answer->start_logit, answer->end_logit, task->outcome.null_diff,
           (int)(answer->end - answer->start), task->passage + answer->start);
    return true;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL PASSAGE-FILE QUESTION...  (blockspan %s)\n", argv[0], blockspan_version());
        return 2;
    }
    const blockspan_model *model;
    blockspan_error error;
    blockspan_status status = blockspan_model_open(argv[1], &model, &error);
    if (status != BLOCKSPAN_STATUS_OK) {
        fprintf(stderr, "error: %s\n", error.message);
        return 2;
    }
    size_t passage_len = 0;
    char *passage = read_file(argv[2], &passage_len);
    if (passage == NULL) {
        fprintf(stderr, "error: %s: cannot read the passage: %s\n", argv[2], strerror(errno));
        blockspan_model_free(model);
        return 2;
    }

    size_t count = (size_t)argc - 3;
    struct task *tasks = calloc(count, sizeof *tasks);
    pthread_t *threads = calloc(count, sizeof *threads);
    bool all_well = tasks != NULL && threads != NULL;
    size_t started = 0;
    for (; all_well && started < count; started++) {
        tasks[started].model = model;
        tasks[started].passage = passage;
        tasks[started].passage_len = passage_len;
        tasks[started].question = argv[3 + started];
        all_well = pthread_create(&threads[started], NULL, run, &tasks[started]) == 0;
        if (!all_well) break;
    }
    for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < started; i++) all_well &= print(&tasks[i]);

    free(threads);
    free(tasks);
    free(passage);
    blockspan_model_free(model);
    return all_well ? 0 : 2;
}
