if(TARGET sp_client)
  sealpost_fuzz_target(roster SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/roster.c USES cli)
endif()
