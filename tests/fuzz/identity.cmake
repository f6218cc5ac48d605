sealpost_fuzz_target(identity SOURCES ${CMAKE_CURRENT_LIST_DIR}/identity.c USES tls
  LINK OpenSSL::Crypto)
