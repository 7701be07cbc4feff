/* Whether the kernel has killed for want of memory. */
#include "proc/oom.h"

#include "proc/cgroup.h"

static int64_t told; /* of the kills */

void oom_begin(void)
{
    told = cgroup_oom_kills();
}

bool oom_has_killed(void)
{
    if (cgroup_oom_kills() <= told)
        return false;
    told++;
    return true;
}
