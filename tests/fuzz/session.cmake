sealpost_fuzz_target(session SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/session.c
    ${PROJECT_SOURCE_DIR}/tests/unit/domain/signer.c USES session crypto)
target_include_directories(fuzz_session PRIVATE ${PROJECT_SOURCE_DIR}/tests)
