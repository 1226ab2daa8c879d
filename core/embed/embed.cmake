# tpsim_embed(OUT ROOT folder PATTERNS glob...): writes an assembler file that holds every matching file under ROOT and an
# index sorted by path (core/embed/embedded_data.h reads it), and puts its name into OUT. The object is made again when a file
# changes, the assembler file when one comes or goes. `.incbin` takes milliseconds where a C++ array takes minutes.
function(tpsim_embed out)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ROOT" "PATTERNS")
  list(TRANSFORM arg_PATTERNS PREPEND "${arg_ROOT}/")
  file(GLOB_RECURSE paths RELATIVE ${arg_ROOT} CONFIGURE_DEPENDS ${arg_PATTERNS})
  list(SORT paths)

  set(index "")
  set(blob "")
  set(files "")
  set(i 0)
  foreach(path IN LISTS paths)
    if(NOT path MATCHES "^[A-Za-z0-9_./+-]+$")
      message(FATAL_ERROR "data file \"${path}\": use only letters, digits and _ . + - in its name")
    endif()
    string(APPEND index "  .long .Lp${i} - .Ldata, .Lt${i} - .Lp${i}, .Le${i} - .Lt${i}\n")
    string(APPEND blob ".Lp${i}: .ascii \"${path}\"\n.Lt${i}: .incbin \"${arg_ROOT}/${path}\"\n.Le${i}: .byte 0\n")
    list(APPEND files "${arg_ROOT}/${path}")
    math(EXPR i "${i} + 1")
  endforeach()

  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded_data.S)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
  .section .rodata
  .balign 8
  .globl tpsim_embedded_count
  .globl tpsim_embedded_index
  .globl tpsim_embedded_data
tpsim_embedded_count: .long @i@
tpsim_embedded_index:
@index@
tpsim_embedded_data:
.Ldata:
@blob@
  .section .note.GNU-stack,"",%progbits
]])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${files}")
  set(${out} ${source} PARENT_SCOPE)
endfunction()
