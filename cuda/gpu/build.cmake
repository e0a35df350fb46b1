# libd3d_cuda.so, where there is a GPU and an nvcc: that of CUDACXX, CUDA_HOME or CUDA_PATH, or the one on the PATH.

set(HOW_TO_GET_CUDA "put nvcc on the PATH or set CUDA_HOME, or pass -DD3D_CUDA=OFF")
if(D3D_CUDA STREQUAL "OFF")
  message(STATUS "CUDA kernels: not built, as D3D_CUDA=OFF says")
  return()
endif()

# Minutes of work that only a GPU can use: without one it is done only when asked for.
find_program(NVIDIA_SMI nvidia-smi)
if(D3D_CUDA STREQUAL "AUTO" AND NOT NVIDIA_SMI AND NOT EXISTS /proc/driver/nvidia)
  message(STATUS "CUDA kernels: not built, because this machine has no NVIDIA GPU; to have them, pass -DD3D_CUDA=ON")
  return()
endif()

if(NOT CMAKE_CUDA_COMPILER)
  if(DEFINED ENV{CUDACXX})
    set(CMAKE_CUDA_COMPILER $ENV{CUDACXX})
  else()
    find_program(CMAKE_CUDA_COMPILER nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin PATHS /usr/local/cuda/bin)
  endif()
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(D3D_CUDA STREQUAL "ON")
    message(FATAL_ERROR "CUDA kernels: D3D_CUDA=ON and no nvcc was found; ${HOW_TO_GET_CUDA}")
  endif()
  message(STATUS "CUDA kernels: not built, because no nvcc was found; to have them, ${HOW_TO_GET_CUDA}")
  return()
endif()

set(CMAKE_CUDA_ARCHITECTURES ${D3D_CUDA_ARCHITECTURES})
enable_language(CUDA)
message(STATUS "CUDA kernels: built by ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION} for ${D3D_CUDA_ARCHITECTURES}")

file(GLOB CUDA_KERNELS CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cu)
add_library(d3d_cuda SHARED ${CUDA_KERNELS})
target_include_directories(d3d_cuda PRIVATE cuda/include)
target_compile_features(d3d_cuda PRIVATE cuda_std_17)
target_compile_options(d3d_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-O3 -Xcompiler=-Wall,-Wextra,-Wno-maybe-uninitialized>)
target_link_libraries(d3d_cuda PRIVATE d3d_isa)
set_target_properties(d3d_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden
                                          CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
install(TARGETS d3d_cuda LIBRARY DESTINATION distill3d/ops/lib)
