sealpost_fuzz_target(sealed_key SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/sealed_key.c USES crypto)
