sealpost_fuzz_target(frame SOURCES frame.c USES wire base)
