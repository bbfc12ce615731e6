/*
 * blockspan: answers questions from a passage.
 *
 * Generated from bindings/c/src by cbindgen; do not edit. README.md beside this folder shows how it is used.
 *
 * Opening a model and making a session allocate; answering never does. A model may be used by many threads at a
 * time, a session by one. Texts are UTF-8 with explicit lengths and need no terminating zero. Every function that
 * returns a blockspan_status accepts NULL for `error`.
 */

#ifndef BLOCKSPAN_H
#define BLOCKSPAN_H

#include <stddef.h>
#include <stdint.h>

// For doc_stride: as many tokens as the model was packed for (a third of the window at most, if the session's is
// shorter than the model's).
#define BLOCKSPAN_DOC_STRIDE_OF_MODEL SIZE_MAX

// The version of this header; blockspan_version has that of the library.
#define BLOCKSPAN_VERSION_MAJOR 0
#define BLOCKSPAN_VERSION_MINOR 1
#define BLOCKSPAN_VERSION_PATCH 0
#define BLOCKSPAN_VERSION_STRING "0.1.0"

// Bytes of a blockspan_error's message, its terminating zero included.
#define BLOCKSPAN_MESSAGE_LEN 256

// The most threads of a session.
#define BLOCKSPAN_MAX_THREADS 32



// How a call ended. Codes keep their numbers; new ones may be added.
enum blockspan_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // All is well.
  BLOCKSPAN_STATUS_OK = 0,
  // A pointer is NULL or not aligned for its type.
  BLOCKSPAN_STATUS_BAD_POINTER = 1,
  // A number is outside its range.
  BLOCKSPAN_STATUS_INVALID_ARGUMENT = 2,
  // The model's file cannot be opened or mapped.
  BLOCKSPAN_STATUS_CANNOT_OPEN = 3,
  // The bytes are not a model, or damaged; the message names the section.
  BLOCKSPAN_STATUS_INVALID_MODEL = 4,
  // A text is not UTF-8; the message names the byte.
  BLOCKSPAN_STATUS_INVALID_UTF8 = 5,
  // The workspace is shorter than blockspan_workspace_len says.
  BLOCKSPAN_STATUS_WORKSPACE_TOO_SMALL = 6,
  // The model has no room for windows of that many tokens.
  BLOCKSPAN_STATUS_MAX_SEQ_LEN = 7,
  // The question holds no token.
  BLOCKSPAN_STATUS_EMPTY_QUESTION = 8,
  // The passage holds no token.
  BLOCKSPAN_STATUS_EMPTY_PASSAGE = 9,
  // The question leaves no room for the passage.
  BLOCKSPAN_STATUS_QUESTION_TOO_LONG = 10,
  // A text is longer than 4 GiB.
  BLOCKSPAN_STATUS_TEXT_TOO_LONG = 11,
  // The session is answering another thread's question.
  BLOCKSPAN_STATUS_BUSY = 12,
  // The operating system gives no memory or no threads.
  BLOCKSPAN_STATUS_OUT_OF_RESOURCES = 13,
  // A defect of this library.
  BLOCKSPAN_STATUS_INTERNAL = 14,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum blockspan_status blockspan_status;
#else
typedef int32_t blockspan_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A model. Any number of threads may use it at a time. It lives until blockspan_model_free and until the last of
// its sessions is freed, in any order.
typedef struct blockspan_model blockspan_model;

// Answers questions with one model in one workspace, for one thread at a time.
typedef struct blockspan_session blockspan_session;

// The particulars of an error: which pointer, which section, which byte.
typedef struct {
  // One line of UTF-8 without control characters, zero-terminated, cut if it is longer; empty after a call that
  // went well.
  char message[BLOCKSPAN_MESSAGE_LEN];
} blockspan_error;

// What a model is like.
typedef struct {
  // Width of the hidden states.
  size_t hidden;
  // Encoder layers.
  size_t layers;
  // Word pieces.
  size_t vocab;
  // The longest window, in tokens.
  size_t max_positions;
  // The default window, in tokens.
  size_t max_seq_len;
  // Tokens that neighboring windows share by default.
  size_t doc_stride;
} blockspan_model_info;

// How a session works. All zeros are the defaults.
typedef struct {
  // Tokens of a window, 8 to the model's max_positions; 0 for the model's max_seq_len.
  size_t max_seq_len;
  // Threads that compute, the caller's included, up to 32; 0 for 1. The answers are the same for any number.
  size_t threads;
} blockspan_session_options;

// How to answer. Start from blockspan_options_default.
typedef struct {
  // The longest answer, in tokens; at least 1.
  size_t max_answer_len;
  // Starts and ends examined per window, and spans kept over all windows; 1 to 64.
  size_t n_best;
  // Tokens that neighboring windows of a long passage share.
  size_t doc_stride;
  // A longer question is cut to its first so many tokens; at least 1.
  size_t max_query_length;
  // No answer is written where blockspan_outcome.null_diff is above it, and "no answer" shares in the score.
  // INFINITY: every question has an answer. blockspan_model_null_threshold has what the model's file recommends;
  // without that, 0 is a good start for a model that was trained with unanswerable questions.
  float null_threshold;
} blockspan_options;

// An answer: a span of the passage.
typedef struct {
  // First byte in the passage.
  size_t start;
  // One past the last byte.
  size_t end;
  // First character (Unicode scalar value) in the passage.
  size_t start_char;
  // One past the last character.
  size_t end_char;
  // Probability among the n_best spans, "no answer" one of them if null_threshold is finite.
  float score;
  // Logit of the first token as a start.
  float start_logit;
  // Logit of the last token as an end.
  float end_logit;
} blockspan_answer;

// What came of a question, besides the answers.
typedef struct {
  // How many answers were written, best first; 0 if no span fits the limits or null_diff is above null_threshold.
  size_t answers;
  // Windows that the passage took.
  size_t windows;
  // Null score minus the best span's start_logit + end_logit: the higher, the likelier that the passage does
  // not hold the answer. If no span fits the limits, the null score.
  float null_diff;
} blockspan_outcome;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library that is linked, for example "0.1.0". A program that was compiled with a header of this
// version has the same text in BLOCKSPAN_VERSION_STRING.
const char *blockspan_version(void);

// What a status means, in a few words that never change; any number may be given.
const char *blockspan_error_message(int32_t status);

// Opens a *.bspan file: maps it into memory and checks every byte that is relied on later. `path` is
// zero-terminated.
//
// `*model` is NULL after an error, else to be given to blockspan_model_free.
//
// Nothing is copied: the pages are the file's own, and processes that map the same file share them. So nobody may
// write to the file or shorten it until the model and all its sessions are freed; otherwise answers may be wrong,
// later calls may read anywhere in memory, and the system may end the program (SIGBUS). To replace a model, write the
// new file beside it and rename it over the old one: programs that have the old one open keep it as it was. Where
// that cannot be relied on, use blockspan_model_read.
//
// The caller must ensure:
// `path` is NULL or zero-terminated; `model` and `error` are NULL or writable; the file stays as it is, as stated.
blockspan_status blockspan_model_open(const char *path,
                                      const blockspan_model **model,
                                      blockspan_error *error);

// As blockspan_model_open, but reads the file into memory of its own, as much as the file is long: what happens to
// the file afterwards does not matter.
//
// The caller must ensure:
// `path` is NULL or zero-terminated; `model` and `error` are NULL or writable.
blockspan_status blockspan_model_read(const char *path,
                                      const blockspan_model **model,
                                      blockspan_error *error);

// A model from `len` bytes in memory, with the checks of blockspan_model_open. Nothing is copied: the bytes must start
// at a multiple of 64, and stay where they are and as they are until the model and all its sessions are freed.
//
// The caller must ensure:
// `bytes` is NULL or points to `len` bytes that live and stay the same as stated; `model` and `error` are NULL or
// writable.
blockspan_status blockspan_model_from_bytes(const uint8_t *bytes,
                                            size_t len,
                                            const blockspan_model **model,
                                            blockspan_error *error);

// As blockspan_model_from_bytes, but only the header, the table of sections, shapes and the tokenizer are checked,
// not the weights: for bytes that nobody can have changed since they were checked, such as flash. Bytes that
// blockspan_model_from_bytes would refuse may make later calls read anywhere in memory.
//
// The caller must ensure:
// As blockspan_model_from_bytes, which must accept these bytes.
blockspan_status blockspan_model_from_trusted_bytes(const uint8_t *bytes,
                                                    size_t len,
                                                    const blockspan_model **model,
                                                    blockspan_error *error);

// Says what a model is like.
//
// The caller must ensure:
// `model` is NULL or from this library and not freed; `info` and `error` are NULL or writable.
blockspan_status blockspan_model_describe(const blockspan_model *model,
                                          blockspan_model_info *info,
                                          blockspan_error *error);

// Gives a model back; NULL is ignored. Sessions that use it go on; its memory goes with the last of them.
//
// The caller must ensure:
// `model` is NULL or from this library, and is not used afterwards.
void blockspan_model_free(const blockspan_model *model);

// The null_threshold that the model's file recommends, for blockspan_options; INFINITY, with which every question has
// an answer, if it recommends none or `model` is not valid.
//
// The caller must ensure:
// `model` is NULL or from this library and not freed.
float blockspan_model_null_threshold(const blockspan_model *model);

// The probability, 0 to 1, that a passage holds an answer, given blockspan_outcome.null_diff; NAN if the model's file
// does not tell how the one follows from the other, or `model` is not valid.
//
// The caller must ensure:
// `model` is NULL or from this library and not freed.
float blockspan_model_answerable(const blockspan_model *model,
                                 float null_diff);

// Bytes of workspace that a session with these options needs (NULL for the defaults); 0 if the model is NULL or
// the options do not fit it, and then blockspan_session_new says why. The workspace may start at any byte.
//
// The caller must ensure:
// `model` is NULL or from this library and not freed; `options` is NULL or readable.
size_t blockspan_workspace_len(const blockspan_model *model,
                               const blockspan_session_options *options);

// Makes a session. `options` may be NULL for the defaults.
//
// `workspace` is `workspace_len` bytes of the caller's (at least blockspan_workspace_len), of any content and
// alignment, that nothing else uses until the session is freed; or NULL and 0, then the session allocates its own.
// `*session` is NULL after an error, else to be given to blockspan_session_free.
//
// The caller must ensure:
// `model` is NULL or from this library and not freed; `options` is NULL or readable; `workspace` is NULL or as
// stated; `session` and `error` are NULL or writable.
blockspan_status blockspan_session_new(const blockspan_model *model,
                                       const blockspan_session_options *options,
                                       uint8_t *workspace,
                                       size_t workspace_len,
                                       blockspan_session **session,
                                       blockspan_error *error);

// Ends a session; NULL is ignored.
//
// The caller must ensure:
// `session` is NULL or from this library, no thread is answering with it, and it is not used afterwards.
void blockspan_session_free(blockspan_session *session);

// The defaults: answers of up to 30 tokens, n_best 20, the model's own doc_stride, no limit to the question
// (max_query_length SIZE_MAX) and none to null_diff (null_threshold INFINITY).
blockspan_options blockspan_options_default(void);

// Answers a question from a passage of any length; writes at most `capacity` answers (top_k), best first. Allocates
// nothing. Texts are UTF-8 and need no zero at the end. `options` may be NULL for the defaults, `outcome` too if only
// the answers matter (then those that were not written have `end` 0).
//
// The caller must ensure:
// `session` is NULL or from this library and not freed; `question` and `passage` are NULL or point to as many
// bytes as their lengths say; `answers` is NULL or points to room for `capacity` answers; `options` is NULL or
// readable; `outcome` and `error` are NULL or writable; what is written to overlaps nothing else.
blockspan_status blockspan_session_answer(const blockspan_session *session,
                                          const char *question,
                                          size_t question_len,
                                          const char *passage,
                                          size_t passage_len,
                                          const blockspan_options *options,
                                          blockspan_answer *answers,
                                          size_t capacity,
                                          blockspan_outcome *outcome,
                                          blockspan_error *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BLOCKSPAN_H */
