sealpost_fuzz_target(event_view SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/event_view.c USES event)
