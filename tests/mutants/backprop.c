/* Backpropagation in C, as a subject: reads one safetensors file, writes another. -DPLANTED plants a mistake. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 };

typedef struct {
    int rows, columns;
    double *at;
} Matrix;

static char *header;
static char *data;

static Matrix matrix(int rows, int columns) {
    Matrix m = {rows, columns, calloc((size_t)(rows * columns), sizeof(double))};
    return m;
}

/* One tensor of the file, by name: its shape and where its bytes begin. */
static Matrix tensor(const char *name) {
    char key[32];
    snprintf(key, sizeof key, "\"%s\":{", name);
    char *entry = strstr(header, key);
    if (!entry) { fprintf(stderr, "no tensor %s\n", name); exit(3); }
    int rows = 1, columns = 1;
    long begin = 0;
    sscanf(strstr(entry, "\"shape\":"), "\"shape\":[%d,%d]", &rows, &columns);
    sscanf(strstr(entry, "\"data_offsets\":"), "\"data_offsets\":[%ld", &begin);
    Matrix m = matrix(rows, columns);
    memcpy(m.at, data + begin, (size_t)(rows * columns) * sizeof(double));
    return m;
}

static double f(const char *name, double z) {
    if (!strcmp(name, "sigmoid")) return 1 / (1 + exp(-z));
    if (!strcmp(name, "tanh")) return tanh(z);
    if (!strcmp(name, "relu")) return z > 0 ? z : 0;
    return z;
}

static double slope(const char *name, double z, double a) {
    if (!strcmp(name, "sigmoid")) return a * (1 - a);
    if (!strcmp(name, "tanh")) return 1 - a * a;
    if (!strcmp(name, "relu")) return z > 0;
    return 1;
}

static Matrix out[8 * MOST];
static char names[8 * MOST][16];
static int count;

static void show(const char *format, int layer, Matrix m) {
    snprintf(names[count], sizeof names[count], format, layer);
    out[count++] = m;
}

static void write_all(const char *path) {
    char *text = malloc(65536);
    long size = sprintf(text, "{"), offset = 0;
    for (int i = 0; i < count; i++) {
        long bytes = (long)out[i].rows * out[i].columns * 8;
        size += sprintf(text + size, "%s\"%s\":{\"dtype\":\"F64\",\"shape\":[%d,%d],\"data_offsets\":[%ld,%ld]}",
                        i ? "," : "", names[i], out[i].rows, out[i].columns, offset, offset + bytes);
        offset += bytes;
    }
    size += sprintf(text + size, "}");
    while (size % 8) text[size++] = ' ';
    unsigned long long length = (unsigned long long)size;
    FILE *file = fopen(path, "wb");
    fwrite(&length, 8, 1, file);
    fwrite(text, 1, (size_t)size, file);
    for (int i = 0; i < count; i++) fwrite(out[i].at, 8, (size_t)(out[i].rows * out[i].columns), file);
    fclose(file);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    FILE *file = fopen(argv[1], "rb");
    unsigned long long length;
    if (!file || fread(&length, 8, 1, file) != 1) return 3;
    header = calloc(length + 1, 1);
    data = malloc(1 << 20);
    if (fread(header, 1, length, file) != length || fread(data, 1, 1 << 20, file) == 0) return 3;

    char activations[256] = "", *activation[MOST];
    sscanf(strstr(header, "\"activation\":"), "\"activation\":\"%255[^\"]", activations);
    int L = 0;
    for (char *word = strtok(activations, ","); word; word = strtok(NULL, ",")) activation[++L] = word;

    Matrix W[MOST], b[MOST], z[MOST], a[MOST], d[MOST], y = tensor("y");
    double lr = tensor("lr").at[0];
    a[0] = tensor("x");
    int m = a[0].columns;
    for (int l = 1; l <= L; l++) {
        char name[16];
        snprintf(name, sizeof name, "W%d", l), W[l] = tensor(name);
        snprintf(name, sizeof name, "b%d", l), b[l] = tensor(name);
        z[l] = matrix(W[l].rows, m), a[l] = matrix(W[l].rows, m), d[l] = matrix(W[l].rows, m);
        for (int i = 0; i < W[l].rows; i++)
            for (int k = 0; k < m; k++) {
                double total = b[l].at[i];
                for (int j = 0; j < W[l].columns; j++) total += W[l].at[i * W[l].columns + j] * a[l - 1].at[j * m + k];
                z[l].at[i * m + k] = total;
                a[l].at[i * m + k] = f(activation[l], total);
            }
    }
    for (int l = L; l >= 1; l--) {
        Matrix dW = matrix(W[l].rows, W[l].columns), db = matrix(W[l].rows, 1);
        for (int i = 0; i < W[l].rows; i++)
            for (int k = 0; k < m; k++) {
                double s = 0;
                if (l == L) s = 2 * (a[L].at[i * m + k] - y.at[i * m + k]) / (y.rows * y.columns);
                else
                    for (int o = 0; o < W[l + 1].rows; o++)
                        s += W[l + 1].at[o * W[l + 1].columns + i] * d[l + 1].at[o * m + k];
#ifdef PLANTED
                if (l < L) s = -s;
#endif
                double delta = s * slope(activation[l], z[l].at[i * m + k], a[l].at[i * m + k]);
                d[l].at[i * m + k] = delta;
                db.at[i] += delta;
                for (int j = 0; j < W[l].columns; j++) dW.at[i * W[l].columns + j] += delta * a[l - 1].at[j * m + k];
            }
        Matrix new_W = matrix(W[l].rows, W[l].columns), new_b = matrix(W[l].rows, 1);
        for (int i = 0; i < W[l].rows * W[l].columns; i++) new_W.at[i] = W[l].at[i] - lr * dW.at[i];
        for (int i = 0; i < W[l].rows; i++) new_b.at[i] = b[l].at[i] - lr * db.at[i];
        show("z%d", l, z[l]), show("a%d", l, a[l]), show("delta%d", l, d[l]);
        show("dW%d", l, dW), show("db%d", l, db);
        show("W%d_next", l, new_W), show("b%d_next", l, new_b);
    }
    write_all(argv[2]);
    return 0;
}
