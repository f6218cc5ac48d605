sealpost_fuzz_target(event_body SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/event_body.c USES event)
