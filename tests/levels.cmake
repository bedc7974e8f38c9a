# The tests of what multiplies, once more at each level below the machine's own: one with AVX-512 tries what one with
# AVX2 runs. The variables only lower a level, so that one which the machine is not above is skipped.
set(level_kernels "EveryLevel/*:ByteKernels/*:NumberFormats/*:Bfloat16Rounding.*:FiniteRows.*")
set(level_layers "Dtypes/*:Packs.*")
set(level_networks "Golden/*:DecodeModes.*:DecodeBytes.*:TinyAutoencoder.*:TimestepEmbedding.*")

# ABOVE: the flag in /proc/cpuinfo of processors above it. Then the variables, which are our own loops', libtorch's,
# oneDNN's and MKL's.
function(add_level LEVEL ABOVE)
  foreach(group IN ITEMS kernels layers networks)
    set(name ${LEVEL}.${group})
    add_test(NAME ${name} COMMAND sh -c "grep -qsw ${ABOVE} /proc/cpuinfo || \
{ echo '${name}: skipped, this processor is not above that level'; exit 77; }; exec \"$0\" \"$@\""
      $<TARGET_FILE:sdgen_tests> --gtest_brief=1 --gtest_filter=${level_${group}})
    set_tests_properties(${name} PROPERTIES LABELS levels SKIP_RETURN_CODE 77
      ENVIRONMENT "OMP_WAIT_POLICY=passive;${ARGN}")
  endforeach()
endfunction()

add_level(avx512 avx512_bf16 SDGEN_CPU_LEVEL=avx2 ATEN_CPU_CAPABILITY=avx512 ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI
  MKL_ENABLE_INSTRUCTIONS=AVX512)
add_level(avx2 avx512f SDGEN_CPU_LEVEL=avx2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
  MKL_ENABLE_INSTRUCTIONS=AVX2)
add_level(baseline avx2 SDGEN_CPU_LEVEL=baseline ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41
  MKL_ENABLE_INSTRUCTIONS=SSE4_2)
