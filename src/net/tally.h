/*
 * What is counted of an exchange, into the row of its worker (base/scoreboard.h).
 */
#ifndef NET_TALLY_H
#define NET_TALLY_H

#include "net/exchange.h"

/* The answer is about to be whole, with that status. Once for each exchange, later calls change nothing. By whoever may send. */
void tally_answer(struct exchange *exchange, int status);

/* By whoever runs the loop. The exchange is over, and how long it took. Returns that, in ns. */
uint64_t tally_end(struct exchange *exchange);
/* A request is refused with this status: what the client sent is wrong, or can not be kept. */
void tally_refused(struct loop *loop, int status);

#endif
