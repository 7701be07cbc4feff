/*
 * The input of one call of the application: the request, its body, the endpoints, and functions
 * that reach the client. app/ owns and fills it; everything in it outlives the call.
 */
#ifndef PY_CALL_REQUEST_H
#define PY_CALL_REQUEST_H

#include <stdbool.h>

#include "base/slice.h"
#include "http/body.h"
#include "http/endpoint.h"
#include "http/request.h"
#include "http/response.h"

struct call_request {
    const struct request *request;
    struct body_content *content; /* moved into wsgi.input */
    const struct local_endpoint *local;
    const struct peer_endpoint *peer;
    struct response *response;
    /* Called by the write() callable: sends `data`, which is not empty. The head is in `response`.
     * 0, or -1 when the client is gone. */
    int (*write)(void *context, struct slice data);
    /* Called by client_disconnected(), in any thread: whether the client no longer waits for the
     * response. */
    bool (*client_gone)(void *context);
    void *context;
};

#endif
