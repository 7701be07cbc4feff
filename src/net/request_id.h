/*
 * Request ids: 128 random bits as hexadecimal digits. Random rather than counted, so that they tell nobody how many requests there are; some
 * at a time, so that one costs no system call. Belongs to whoever runs the loop.
 */
#ifndef NET_REQUEST_ID_H
#define NET_REQUEST_ID_H

#include <stddef.h>
#include <stdint.h>

enum { REQUEST_ID_SIZE = 32 };

struct request_ids {
    uint8_t bytes[256]; /* what getentropy gives at most */
    size_t left;        /* of them, from the end; zeroed: there are none yet */
};

void request_id_make(struct request_ids *ids, char out[REQUEST_ID_SIZE]);

#endif
