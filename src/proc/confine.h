/*
 * The confinement of a process that runs no application: it can do little else than serve.
 */
#ifndef PROC_CONFINE_H
#define PROC_CONFINE_H

/* Confines this process for ever. Programs that it executes get no rights (PR_SET_NO_NEW_PRIVS), it
 * has at most `descriptors` open, and of system calls only those that serving needs. It can neither
 * fork nor execute nor connect nor listen. A system call that is not on the list fails with ENOSYS
 * and harms nothing else: a C library that is newer than this program tries a new call first, and
 * on ENOSYS an old one. Where the kernel or the architecture has no filters there is none, nor in a
 * build with sanitizers. */
void confine_process(unsigned descriptors);

#endif
