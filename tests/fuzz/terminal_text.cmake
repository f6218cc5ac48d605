sealpost_fuzz_target(terminal_text SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/terminal_text.c USES base)
