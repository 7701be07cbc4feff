/*
 * The reload: a child reads the configuration again, then the fleet is asked for a new generation.
 * The new options belong to that generation until it has proved itself; then they are the
 * service's.
 *
 * Only the master calls these, in its loop.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"
#include "master/master_state.h"

/*
 * Reads the configuration again, then reloads. A reading that is under way is followed by another.
 * 0, or -1 with one sentence in `message`, which is logged here.
 */
int reload_begin(struct master *master, char *message, size_t size);

/*
 * Returns the number of the reading that a reload waits for when a client asks for it at this time.
 */
unsigned reload_next_reading(const struct master *master);

/* A child has ended. True: the child was the reader of the configuration. */
bool reload_reading_ended(struct master *master, pid_t pid, int status);

/* True: the configuration is not being read, and no options wait for their generation. */
bool reload_is_over(const struct master *master);

/*
 * The options and the directory for the workers of a generation. The first call for a generation
 * gives it the options that wait. The pointers are valid until the generation is dropped, or its
 * reload is over. The directory is NULL where none can be opened.
 */
const struct options *reload_options_of(struct master *master, unsigned generation);
const struct directory *reload_directory_of(const struct master *master, unsigned generation);

/* The fleet has ended the reload of that generation. `good`: the generation serves. */
void reload_finish(struct master *master, unsigned generation, bool good);

/*
 * With --reload: notes a failed reload in the scoreboard, for app/worker_answers.h. `words` may be
 * empty.
 */
void reload_note_failure(struct master *master, const char *failure, struct slice words);

/* Sets the fleet's limits: those of the options that the next generation gets. */
void reload_limits(const struct master *master, struct fleet_limits *limits);

#endif
