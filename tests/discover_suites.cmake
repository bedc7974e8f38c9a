# One entry of ctest per test suite: loading libtorch is most of a small test's time, and a suite loads it once.
# Included, it gives sdgen_discover_suites(); run as a script after each build, it asks the binary for its suites.

if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND "${BINARY}" --gtest_list_tests OUTPUT_VARIABLE listed RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${BINARY} --gtest_list_tests: ${failed}")
  endif()
  string(REPLACE "\n" ";" lines "${listed}")
  set(tests "")
  foreach(line IN LISTS lines)
    # "Suite." or "Prefix/Suite.  # TypeParam = ..."; what belongs to it is indented.
    if(line MATCHES "^([A-Za-z0-9_/]+)\\.")
      set(suite "${CMAKE_MATCH_1}")
      string(APPEND tests "add_test([==[${suite}]==] [==[${BINARY}]==] [==[--gtest_filter=${suite}.*]==] --gtest_brief=1)\n"
        "set_tests_properties([==[${suite}]==] PROPERTIES LABELS ${LABEL} ENVIRONMENT OMP_WAIT_POLICY=passive\n"
        "  SKIP_REGULAR_EXPRESSION [==[PASSED  .. 0 tests]==])\n")  # a suite that is skipped as a whole
    endif()
  endforeach()
  file(WRITE "${OUTPUT}" "${tests}")
  return()
endif()

function(sdgen_discover_suites TARGET LABEL)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${TARGET}_suites.cmake)
  add_custom_command(TARGET ${TARGET} POST_BUILD VERBATIM
    COMMAND ${CMAKE_COMMAND} -DBINARY=$<TARGET_FILE:${TARGET}> -DLABEL=${LABEL} -DOUTPUT=${output}
      -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE})
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${output})
endfunction()
