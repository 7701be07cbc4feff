/*
 * What is counted of an exchange, into the row of its worker (base/scoreboard.h).
 */
#ifndef NET_EXCHANGE_COUNTERS_H
#define NET_EXCHANGE_COUNTERS_H

#include "net/exchange.h"

/* The part of exchange_count_answer that counts: for a status that is not the one counted last. */
void tally_status(struct exchange *exchange, int status);

/* The answer is about to be whole, with that status, or has ended with it. By whoever may send. Each exchange counts once, as what was
 * said last. An answer is counted before its last byte leaves, so that a client that has it finds it counted, even if the worker is
 * killed in that moment. Whether the kernel takes the byte is known only after that. If it does not, and has taken none before, the
 * count moves to 499. The sum over all codes is then one too many for the time of that system call, and never too few. */
static inline void exchange_count_answer(struct exchange *exchange, int status)
{
    if (exchange->counted != status)
        tally_status(exchange, status);
}

/* By whoever runs the loop. The exchange is over, and how long it took. Returns that, in ns. */
uint64_t exchange_count_end(struct exchange *exchange);
/* A request is refused with this status: what the client sent is wrong, or cannot be kept. */
void exchange_count_refusal(struct loop *loop, int status);

#endif
