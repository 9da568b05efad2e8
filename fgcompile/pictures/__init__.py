"""Pictures in: a file, or a picture of Pillow's, becomes the bytes of the size that an artifact takes."""
