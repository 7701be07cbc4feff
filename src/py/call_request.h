/*
 * What one call of the application is about: the request, its body, the endpoints, and the way back to the client. app/ fills it,
 * and everything in it outlives the call.
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
    /* The write() callable's way out: the head is in `response`. 0, or -1 when the client is gone. `data` is not empty. */
    int (*write)(void *context, struct slice data);
    /* The client_disconnected() callable's question, in any thread: nobody waits for the answer any more. */
    bool (*client_gone)(void *context);
    void *context;
};

#endif
