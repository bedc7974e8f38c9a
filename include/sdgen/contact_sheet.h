// Many pictures on one sheet, labelled.
#pragma once

#include <string>
#include <vector>

#include "sdgen/image.h"

namespace sdgen {

// A grid of pictures. Labels are UTF-8; those that are left out or empty take no room.
struct ContactSheet {
  struct Cell {
    Image image;          // none (0x0 pixels): the place stays empty
    std::string caption;  // below the picture
  };

  std::string title;                     // on top, in as many lines as it needs
  std::vector<std::string> columns;      // above the columns, from the left
  std::vector<std::string> rows;         // to the left of the rows, from the top
  std::vector<std::vector<Cell>> cells;  // rows of cells; rows may be shorter than others
  int least_cell_px = 128;  // all pictures are enlarged by one whole factor until the widest is this wide
};

// Draws the sheet: dark text on a light ground, its size in proportion to the cells, at least 12 pixels to
// the em. Every cell is as large as the largest, smaller pictures stand in its middle; labels and captions
// are broken into lines, four at most, and end in an ellipsis where that does not do. Throws Error(kWorking)
// if there is no picture, one has a wrong number of bytes, or the sheet would be too large.
Image contact_sheet(const ContactSheet& sheet);

}  // namespace sdgen
