sealpost_fuzz_target(config SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/config.c USES base)
