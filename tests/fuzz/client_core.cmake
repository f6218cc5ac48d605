sealpost_fuzz_target(client_core SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/client_core.c USES client)
