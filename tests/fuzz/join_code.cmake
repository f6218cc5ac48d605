sealpost_fuzz_target(join_code SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/join_code.c USES base)
