sealpost_fuzz_target(request SOURCES ${CMAKE_CURRENT_LIST_DIR}/request.c USES ca
  LINK OpenSSL::Crypto)
