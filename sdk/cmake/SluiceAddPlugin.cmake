# sluice_add_plugin(NAME SOURCES file... [LIBS library...] [DESTINATION folder])
#
# Makes plugins/sluice-NAME.so in the project's build folder, as the target sluice_plugin_NAME: a module of which only
# the descriptor can be seen from outside. The sources are C++ (17 or later) or C. LIBS are linked privately. It is
# installed to DESTINATION; without one, to where the agent looks: SLUICE_PLUGIN_DIR, by default lib/sluice/plugins.
include_guard(GLOBAL)

function(sluice_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESTINATION" "SOURCES;LIBS")
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_add_plugin(NAME SOURCES file... [LIBS library...] [DESTINATION folder])")
  endif()
  if(NOT name MATCHES "^[a-z0-9_-]+$")
    message(FATAL_ERROR "sluice_add_plugin: \"${name}\": the name of a plugin is made of a-z, 0-9, - and _")
  endif()
  set(target sluice_plugin_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME sluice-${name} SUFFIX .so
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/plugins
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${target} PRIVATE SluiceSDK::sdk ${arg_LIBS})
  if(TARGET sluice_flags)
    target_link_libraries(${target} PRIVATE sluice_flags)
  endif()
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${target} PRIVATE cxx_std_17)
  endif()
  if("C" IN_LIST languages)
    target_compile_features(${target} PRIVATE c_std_11)
  endif()
  set_property(GLOBAL APPEND PROPERTY SLUICE_PLUGINS ${target})
  if(NOT arg_DESTINATION)
    set(arg_DESTINATION ${SLUICE_PLUGIN_DIR})
  endif()
  if(NOT arg_DESTINATION)
    set(arg_DESTINATION lib/sluice/plugins)
  endif()
  install(TARGETS ${target} LIBRARY DESTINATION ${arg_DESTINATION})
endfunction()
