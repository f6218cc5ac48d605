sealpost_fuzz_target(mention SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/mention.c USES base)
