#include "image/contact_sheet.h"

#include <algorithm>
#include <cstddef>

#include "image/font.h"
#include "plain/errors.h"

namespace sdgen {
namespace {

constexpr Color kInk{32, 32, 38}, kSoftInk{98, 98, 106};
constexpr std::size_t kMaxLabelLines = 4;
constexpr int kWidestTitle = 1 << 20;  // pixels

struct Layout {
  int factor = 1;                       // by which pictures are enlarged
  int cell_width = 0, cell_height = 0;  // pixels, captions aside
  int text = 0, title = 0;              // heights of lines
  int gap = 0, margin = 0;              // between cells and labels; around the sheet
  std::vector<std::string> title_lines;
  std::vector<std::vector<std::string>> row_lines;     // of each row's label
  int label_width = 0;                                 // of the row labels with the gap to their right; or 0
  std::vector<std::vector<std::string>> column_lines;  // of each column's label
  int column_height = 0;                               // of the tallest; or 0
  int caption_height = 0;              // of the tallest, its distance from the cell included; or 0
  int left = 0, top = 0;               // of the first cell
  int step_x = 0, step_y = 0;          // from cell to cell
  std::int64_t width = 0, height = 0;  // of the sheet
};

bool has_picture(const ContactSheet::Cell& cell) {
  return cell.image.width > 0 || cell.image.height > 0 || !cell.image.rgb.empty();
}

void measure_cells(const ContactSheet& sheet, Layout& layout) {
  for (const auto& row : sheet.cells)
    for (const ContactSheet::Cell& cell : row)
      if (has_picture(cell)) {
        require_pixels(cell.image, "picture of a sheet");
        layout.cell_width = std::max(layout.cell_width, cell.image.width);
        layout.cell_height = std::max(layout.cell_height, cell.image.height);
      }
  if (layout.cell_width == 0) fail_working("a sheet without pictures cannot be drawn");
  layout.factor = std::max(1, (sheet.least_cell_px + layout.cell_width - 1) / layout.cell_width);
  layout.cell_width *= layout.factor;
  layout.cell_height *= layout.factor;
}

// What stands above or below a cell, in a few lines as wide as it.
std::vector<std::string> lines_of(const std::string& label, const Layout& layout) {
  return wrapped_text(label, layout.text, layout.cell_width, kMaxLabelLines);
}

int height_of(std::size_t lines, const Layout& layout) {
  return static_cast<int>(lines) * layout.text;
}

void measure_labels(const ContactSheet& sheet, Layout& layout) {
  layout.text = std::clamp(10 + layout.cell_width / 32, 14, 40);
  layout.title = layout.text * 5 / 4;
  layout.gap = layout.text * 3 / 4;
  layout.margin = layout.text * 3 / 2;
  const int widest = std::max(layout.cell_width * 5 / 4, 10 * layout.text);
  const auto lines =
      std::clamp(static_cast<std::size_t>(layout.cell_height / layout.text), std::size_t{1}, kMaxLabelLines);
  for (const std::string& label : sheet.rows) {
    layout.row_lines.push_back(wrapped_text(label, layout.text, widest, lines));
    for (const std::string& line : layout.row_lines.back())
      layout.label_width = std::max(layout.label_width, text_width(line, layout.text) + layout.gap);
  }
  for (const std::string& label : sheet.columns) {
    layout.column_lines.push_back(lines_of(label, layout));
    layout.column_height =
        std::max(layout.column_height, height_of(layout.column_lines.back().size(), layout));
  }
  std::size_t caption_lines = 0;
  for (const auto& row : sheet.cells)
    for (const ContactSheet::Cell& cell : row)
      caption_lines = std::max(caption_lines, lines_of(cell.caption, layout).size());
  if (caption_lines > 0) layout.caption_height = height_of(caption_lines, layout) + layout.text / 4;
}

// The grid and what stands above it.
void place(const ContactSheet& sheet, Layout& layout) {
  std::size_t columns = sheet.columns.size();
  for (const auto& row : sheet.cells) columns = std::max(columns, row.size());
  const std::size_t rows = std::max(sheet.rows.size(), sheet.cells.size());
  layout.step_x = layout.cell_width + layout.gap;
  layout.step_y = layout.cell_height + layout.caption_height + layout.gap;
  const auto grid = layout.label_width + static_cast<std::int64_t>(columns) * layout.step_x - layout.gap;
  // A sheet of one small picture is widened, or its title would be a tower of words.
  const auto inner =
      std::max<std::int64_t>(grid, std::min(text_width(sheet.title, layout.title), 16 * layout.title));
  layout.width = inner + 2 * layout.margin;
  layout.title_lines = wrapped_text(sheet.title, layout.title,
                                    static_cast<int>(std::min<std::int64_t>(inner, kWidestTitle)), 0);
  layout.left = layout.margin + layout.label_width + static_cast<int>((inner - grid) / 2);
  layout.top = layout.margin + static_cast<int>(layout.title_lines.size()) * layout.title;
  if (!layout.title_lines.empty()) layout.top += layout.gap;
  if (layout.column_height > 0) layout.top += layout.column_height + layout.text / 3;
  layout.height = layout.top + static_cast<std::int64_t>(rows) * layout.step_y - layout.gap + layout.margin;
}

Layout layout_of(const ContactSheet& sheet) {
  Layout layout;
  measure_cells(sheet, layout);
  measure_labels(sheet, layout);
  place(sheet, layout);
  return layout;
}

// Lines in the middle of a cell's width from `left`.
void draw_centred(Image& image, int left, int y, const std::vector<std::string>& lines, const Layout& layout,
                  Color color) {
  for (const std::string& line : lines) {
    draw_text(image, left + (layout.cell_width - text_width(line, layout.text)) / 2, y, line, layout.text,
              color);
    y += layout.text;
  }
}

void draw_labels(const Layout& layout, Image& image) {
  for (std::size_t i = 0; i < layout.title_lines.size(); ++i)
    draw_text(image, layout.margin, layout.margin + static_cast<int>(i) * layout.title, layout.title_lines[i],
              layout.title, kInk);
  for (std::size_t i = 0; i < layout.column_lines.size(); ++i)
    draw_centred(image, layout.left + static_cast<int>(i) * layout.step_x,
                 layout.top - layout.text / 3 - height_of(layout.column_lines[i].size(), layout),
                 layout.column_lines[i], layout, kInk);
  for (std::size_t i = 0; i < layout.row_lines.size(); ++i) {
    const auto& lines = layout.row_lines[i];
    int y = layout.top + static_cast<int>(i) * layout.step_y +
            (layout.cell_height - static_cast<int>(lines.size()) * layout.text) / 2;
    for (const std::string& line : lines) {
      draw_text(image, layout.left - layout.gap - text_width(line, layout.text), y, line, layout.text, kInk);
      y += layout.text;
    }
  }
}

void draw_cell(const ContactSheet::Cell& cell, const Layout& layout, int left, int top, Image& image) {
  if (has_picture(cell)) {
    const Image picture = enlarged(cell.image, layout.factor);
    paste(image, picture, left + (layout.cell_width - picture.width) / 2,
          top + (layout.cell_height - picture.height) / 2);
  }
  draw_centred(image, left, top + layout.cell_height + layout.text / 4, lines_of(cell.caption, layout),
               layout, kSoftInk);
}

}  // namespace

Image contact_sheet(const ContactSheet& sheet) {
  const Layout layout = layout_of(sheet);
  Image image = blank_image(layout.width, layout.height, kSheetColor);
  draw_labels(layout, image);
  for (std::size_t row = 0; row < sheet.cells.size(); ++row)
    for (std::size_t column = 0; column < sheet.cells[row].size(); ++column)
      draw_cell(sheet.cells[row][column], layout, layout.left + static_cast<int>(column) * layout.step_x,
                layout.top + static_cast<int>(row) * layout.step_y, image);
  return image;
}

Image stacked(const std::vector<Image>& images, Color background) {
  if (images.empty()) fail_working("no pictures to stack");
  std::int64_t width = 0, height = 0;
  for (const Image& image : images) {
    require_pixels(image, "picture of a stack");
    width = std::max<std::int64_t>(width, image.width);
    height += image.height;
  }
  Image stack = blank_image(width, height, background);
  int y = 0;
  for (const Image& image : images) {
    paste(stack, image, (stack.width - image.width) / 2, y);
    y += image.height;
  }
  return stack;
}

}  // namespace sdgen
