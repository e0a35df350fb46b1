#pragma once

#include "d3d/cameras.h"
