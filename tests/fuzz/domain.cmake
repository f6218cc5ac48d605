sealpost_fuzz_target(domain
  SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/domain.c ${PROJECT_SOURCE_DIR}/tests/unit/domain/world.c
    ${PROJECT_SOURCE_DIR}/tests/unit/domain/signer.c
  USES domain)
target_include_directories(fuzz_domain PRIVATE ${PROJECT_SOURCE_DIR}/tests)
