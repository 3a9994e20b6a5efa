/* What a program under valgrind tells callgrind of: when to count, and when to write down what was counted. */
#include <valgrind/callgrind.h>

void begin(void) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

void write_as(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }

void stop(void) { CALLGRIND_STOP_INSTRUMENTATION; }
