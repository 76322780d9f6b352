"""Their processes are set up as those of `amt` and its workers: threads wait in sleep, freed memory is kept."""

from app.allocator import keep_one_arena
from app.cores import spin_briefly

spin_briefly()
keep_one_arena()
