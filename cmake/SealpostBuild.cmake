# How everything is compiled, and the two functions with which a part declares itself and its tests.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# Assertions stay in every build: they are for our own bugs, and a server that goes on after one does harm.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()

option(SEALPOST_TESTS "Build the tests" ON)
option(SEALPOST_WERROR "Warnings are errors" ON)
option(SEALPOST_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)
set(SEALPOST_SANITIZE "" CACHE STRING "address;undefined or thread; empty for none")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

add_library(sealpost_options INTERFACE)
target_compile_definitions(sealpost_options INTERFACE _GNU_SOURCE)
target_compile_options(sealpost_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wdouble-promotion -Wimplicit-fallthrough
  -Wconversion -Wno-sign-conversion
  -fstack-protector-strong -fno-common -fvisibility=hidden)
target_include_directories(sealpost_options INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
if(SEALPOST_WERROR)
  target_compile_options(sealpost_options INTERFACE -Werror)
endif()
if(SEALPOST_SANITIZE)
  string(REPLACE ";" "," sanitizers "${SEALPOST_SANITIZE}")
  target_compile_options(sealpost_options INTERFACE
    -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sealpost_options INTERFACE -fsanitize=${sanitizers})
else()
  target_compile_options(sealpost_options INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2> -fstack-clash-protection)
  target_link_options(sealpost_options INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
if(SEALPOST_FUZZ)
  target_compile_options(sealpost_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# sealpost_library(PART SOURCES... [USES PART...] [LINK library...])
# One folder of src/, one static library: sp_PART.
function(sealpost_library part)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LINK" ${ARGN})
  add_library(sp_${part} STATIC ${ARG_SOURCES})
  target_link_libraries(sp_${part} PUBLIC sealpost_options)
  foreach(used ${ARG_USES})
    target_link_libraries(sp_${part} PUBLIC sp_${used})
  endforeach()
  target_link_libraries(sp_${part} PRIVATE ${ARG_LINK})
endfunction()

# sealpost_unit_test(NAME SOURCES... [USES PART...] [LINK library...])
# A cmocka program, run by ctest as unit_NAME with the label ci.
function(sealpost_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LINK" ${ARGN})
  add_executable(unit_${name} ${ARG_SOURCES})
  target_include_directories(unit_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  foreach(used ${ARG_USES})
    target_link_libraries(unit_${name} PRIVATE sp_${used})
  endforeach()
  target_link_libraries(unit_${name} PRIVATE sealpost_options PkgConfig::CMOCKA ${ARG_LINK})
  add_test(NAME unit_${name} COMMAND unit_${name})
  set(labels "ci;unit")
  if(NOT "Threads::Threads" IN_LIST ARG_LINK)
    list(APPEND labels no-tsan) # it starts none
  endif()
  set_tests_properties(unit_${name} PROPERTIES LABELS "${labels}" TIMEOUT 120)
endfunction()

# sealpost_fuzz_target(NAME SOURCES... [USES PART...])
# A libFuzzer target, fuzz_NAME; its seeds are in tests/fuzz/corpus/NAME. Without SEALPOST_FUZZ it is linked
# with a small driver that runs the files it is given, so that every build replays the corpus.
function(sealpost_fuzz_target name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LINK" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  foreach(used ${ARG_USES})
    target_link_libraries(fuzz_${name} PRIVATE sp_${used})
  endforeach()
  target_link_libraries(fuzz_${name} PRIVATE sealpost_options ${ARG_LINK})
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(SEALPOST_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME fuzz_replay_${name} COMMAND fuzz_${name} ${corpus})
    set_tests_properties(fuzz_replay_${name} PROPERTIES LABELS "ci;fuzz" TIMEOUT 60)
  endif()
endfunction()
