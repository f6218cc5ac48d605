if(TARGET sp_client)
  sealpost_fuzz_target(cli_json SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/cli_json.c USES cli)
endif()
