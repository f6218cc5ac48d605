sealpost_fuzz_target(names SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/names.c USES base)
