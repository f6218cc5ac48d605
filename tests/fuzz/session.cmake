sealpost_fuzz_target(session SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/session.c USES session)
